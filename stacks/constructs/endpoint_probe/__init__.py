"""Asks the endpoint for the breed in one packaged photo: once after each deploy, and then every minute."""
