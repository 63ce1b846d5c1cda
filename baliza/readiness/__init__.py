"""Readiness to buy and purpose of the visit, asked at any moment of a session: from the live profile, in microseconds.

Whoever serves a visitor asks here, so it lies under the services; what is learned comes as a file from the personalizer.
"""
