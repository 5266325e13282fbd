def check_image(path, kind): pass
