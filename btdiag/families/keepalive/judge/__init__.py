"""What the timeouts and the volleys prove. Pure."""
