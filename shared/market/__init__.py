"""Port to market data: bars, news and positions, live or recorded."""
