"""What the shop sells: taken from feeds, kept in the live store, copied into models, fresh when offers are made."""
