def unpack(path, store): raise NotImplementedError
