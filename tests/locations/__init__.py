"""Small user projects that tests load: one for each feature, and one for each way to fail."""
