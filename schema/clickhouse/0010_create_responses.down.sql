-- Nothing is lost for good: the events are there, and are responses again when the tables are filled from them.
DROP TABLE responses
