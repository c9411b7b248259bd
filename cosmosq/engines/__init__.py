"""What an engine accepts and how it is asked: parameters, controlnet specs, sessions."""
