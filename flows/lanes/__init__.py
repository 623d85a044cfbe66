"""A run in several processes on one machine: each generates cells of the plan, and one commits their rows."""
