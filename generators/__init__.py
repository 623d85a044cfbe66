"""How a cell becomes a sample: Skill-Mix, Instruct-SkillMix, and deliberate shirkers for preference pairs."""
