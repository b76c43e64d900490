// The main path of ECR by AWS's SDK for JavaScript. FOLDER/node_modules has the SDK; a blob's file is named after its
// digest; what was answered is printed as JSON, and who asks is told by the environment.
//
//   node main-path.mjs FOLDER ENDPOINT make NAME MANIFEST BLOB...
//   node main-path.mjs FOLDER ENDPOINT remove NAME
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename } from 'node:path'

const [folder, endpoint, what, repositoryName, manifest, ...blobs] = process.argv.slice(2)
const { ECR, paginateListImages } = createRequire(`${folder}/`)('@aws-sdk/client-ecr')
const ecr = new ECR({ endpoint, region: 'us-east-1', maxAttempts: 1 })
const PART = 5 * 1024 * 1024

async function failure(asked) {
  try {
    await asked
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}

async function upload(path) {
  const data = readFileSync(path)
  const { uploadId } = await ecr.initiateLayerUpload({ repositoryName })
  let last = -1
  while (last + 1 < data.length) {
    const layerPartBlob = data.subarray(last + 1, last + 1 + PART)
    const span = { partFirstByte: last + 1, partLastByte: last + layerPartBlob.length }
    last = (await ecr.uploadLayerPart({ repositoryName, uploadId, layerPartBlob, ...span })).lastByteReceived
  }
  const again = { repositoryName, uploadId, partFirstByte: 0, partLastByte: 0, layerPartBlob: Buffer.from('a') }
  const refused = await failure(ecr.uploadLayerPart(again))
  const layerDigests = [`sha256:${basename(path)}`]
  const { layerDigest } = await ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests })
  return { layerDigest, refused: refused.name, lastValidByteReceived: refused.lastValidByteReceived }
}

async function make() {
  const missing = await failure(ecr.describeRepositories({ repositoryNames: [repositoryName] }))
  const { repository } = await ecr.createRepository({ repositoryName, tags: [{ Key: 'team', Value: 'blue' }] })
  const uploads = []
  for (const path of blobs) uploads.push(await upload(path))
  const imageManifest = readFileSync(manifest, 'utf8')
  const put = []
  for (const imageTag of ['v1', 'v2', 'v3']) {
    const { image } = await ecr.putImage({ repositoryName, imageManifest, imageTag })
    put.push([image.imageId.imageDigest, image.imageId.imageTag])
  }
  const imageIds = [{ imageTag: 'v1' }, { imageTag: 'never' }]
  const got = await ecr.batchGetImage({ repositoryName, imageIds })
  const { imageDetails } = await ecr.describeImages({ repositoryName })
  const pages = []
  const paginated = paginateListImages({ client: ecr, pageSize: 2 }, { repositoryName })
  for await (const page of paginated) pages.push(page.imageIds.length)
  const layerDigest = uploads.at(-1).layerDigest
  const { downloadUrl } = await ecr.getDownloadUrlForLayer({ repositoryName, layerDigest })
  return {
    missing: missing.name,
    repositoryUri: repository.repositoryUri,
    created: repository.createdAt.getTime() / 1000,
    uploads: uploads.map((one) => [one.layerDigest, one.refused, one.lastValidByteReceived]),
    put,
    same: got.images.map((image) => image.imageManifest === imageManifest),
    failures: got.failures.map((one) => one.failureCode),
    details: imageDetails.map((detail) => [detail.imageDigest, detail.imageTags.length, detail.imageSizeInBytes]),
    pushed: imageDetails[0].imagePushedAt.getTime() / 1000,
    pages,
    downloadUrl,
  }
}

async function remove() {
  const imageIds = [{ imageTag: 'v1' }]
  const gone = await ecr.batchDeleteImage({ repositoryName, imageIds })
  const full = await failure(ecr.deleteRepository({ repositoryName }))
  const { repository } = await ecr.deleteRepository({ repositoryName, force: true })
  return { gone: gone.imageIds.map((id) => id.imageTag), full: full.name, name: repository.repositoryName }
}

console.log(JSON.stringify(await (what === 'make' ? make() : remove())))
