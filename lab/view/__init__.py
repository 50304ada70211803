"""Who looks at a run: a screen or lines, both drawn from one state that every event updates."""
