-- Destroys the history.
DROP TABLE events
