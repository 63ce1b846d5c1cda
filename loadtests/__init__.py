"""What baliza costs and bears: benchmarks, shoppers for locust, one sample event."""
