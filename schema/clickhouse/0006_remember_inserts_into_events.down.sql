ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10000
