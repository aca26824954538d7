"""What the answers of the resolvers mean. Pure."""
