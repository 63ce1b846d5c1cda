-- Destroys what is known of offers: nothing can be learned from them any more.
DROP TABLE decisions
