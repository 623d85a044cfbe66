"""What can be mixed: skills, topics, query types, where they come from, and random combinations of them."""
