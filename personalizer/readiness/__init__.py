"""Learning readiness to buy from a shop's history; what it learns is read and asked in baliza.readiness."""
