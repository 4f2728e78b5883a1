"""The gates that rows pass before they are frozen."""
