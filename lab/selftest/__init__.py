"""Does each fault do what it says? Shown on small sites: its symptom, nothing at strength 0, its healing."""
