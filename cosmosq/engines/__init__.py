"""What engines accept and how they are asked: parameters, controlnet specs, sessions. They themselves run from
`remote_scripts/`."""
