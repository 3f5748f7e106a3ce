"""What a run showed: as a value, as text, as JSON and as a picture."""
