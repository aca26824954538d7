"""What runs in the browser's own process: it alone imports Playwright, which takes long to load."""
