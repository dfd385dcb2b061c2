"""What a recipe may say, how it is read and checked, and recipes that ship; start at ``recipe.py``."""
