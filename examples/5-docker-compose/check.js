// What the container's health check runs: the image has no curl.
const response = await fetch(`http://localhost:${process.env.PORT ?? 3000}/health`)
console.log(await response.text())
if (!response.ok) process.exitCode = 1
