"""How soon the commands of someone on call answer."""
