"""Long work of this room."""
