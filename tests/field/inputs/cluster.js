// A web server of three workers that share a port.
const cluster = require('cluster');
const http = require('http');

if (cluster.isPrimary) {
    for (let i = 0; i < 3; i++)
        cluster.fork();
    process.on('SIGTERM', () => {
        cluster.on('exit', () => Object.keys(cluster.workers).length || process.exit(0));
        Object.values(cluster.workers).forEach(worker => worker.kill());
    });
} else {
    http.createServer((request, response) => response.end('answered ' + request.url + '\n'))
        .listen(7080, '127.0.0.1');
}
