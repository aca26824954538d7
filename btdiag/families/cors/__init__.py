"""May the web app's pages call the API, read the answers, and does nobody else's page?"""
