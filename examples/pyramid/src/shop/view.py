import pyramid.response


def publish(request):
    """Publish the body of the request, in its transaction."""
    name = request.matchdict['name']
    with request.filestore('orders').publish(name, mode='wb') as f:
        f.write(request.body)
    if 'fail' in request.GET:
        raise RuntimeError(f'told to fail, with {name} published')
    return pyramid.response.Response()
