"""The ground under the services: settings, stores, embedded engines, supervisor, command line, HTTP manners."""

__version__ = "0.1.0"
