"""Do the routes of data retention and service tokens reach a backend through this gateway?"""
