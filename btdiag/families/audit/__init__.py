"""Do audit headers arrive, and can what they hold be read?"""
