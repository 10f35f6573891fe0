"""syncline keeps HighLevel payments and HaloPSA in line, both ways."""
