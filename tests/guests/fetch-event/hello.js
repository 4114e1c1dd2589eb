/** The hello of componentize-js, as any engine with fetch events runs it. */

addEventListener('fetch', (event) => event.respondWith(respond(event.request)));

async function respond(request) {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === '/fetch') {
    const response = await fetch(searchParams.get('url'));
    return new Response(`fetched ${response.status} ${await response.text()}`);
  }
  const body = request.method === 'POST' ? ` ${await request.text()}` : '';
  return new Response(`Hello, ${request.method} ${pathname}${body}`, { headers: { 'content-type': 'text/plain' } });
}
