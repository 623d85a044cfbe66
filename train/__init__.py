"""SFT and DPO of a student with TRL, and Skill-Mix metrics. Modules import torch and trl inside functions."""
