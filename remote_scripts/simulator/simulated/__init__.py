"""What the stand-in is made of. Only `cosmos_transfer1` imports it; the engine has nothing of this name."""
