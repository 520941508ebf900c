"""Side-by-side measurements. `make bench GROUP=name`; never imported by the product. See bench/README.md."""
