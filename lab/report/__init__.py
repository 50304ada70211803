"""What a run leaves behind: its evidence, and what it found, for people and for programs."""
