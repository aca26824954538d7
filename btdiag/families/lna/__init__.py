"""Chrome's Local Network Access: does the browser let the web app reach the target, and whom does it ask?"""
