-- Destroys the counts of what came in and was not stored. The events stay.
DROP TABLE receipts
