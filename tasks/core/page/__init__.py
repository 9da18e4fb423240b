"""The report as one page: gathering what it shows, bars and maps and trends, drawing them."""
