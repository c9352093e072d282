/** Shapes that both planes use. Patterns are anchored: they hold for the whole text. */
import { list, oneOf, text } from './shapes.ts'

const NAME = '[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,63}'

export const featureName = text({ min: 1, max: 64, pattern: new RegExp(`^${NAME}$`) })

/** A feature group where only a name will do: creating and deleting. */
export const featureGroupName = text({ min: 1, max: 64, pattern: new RegExp(`^${NAME}$`) })

/** @param max - 150 characters in the data plane, 256 in the control plane */
export const featureGroupNameOrArn = (max: number): ReturnType<typeof text> =>
  text({
    min: 1,
    max,
    pattern: new RegExp(`^(arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:feature-group/)?(${NAME})$`),
  })

export const durationUnit = oneOf('Seconds', 'Minutes', 'Hours', 'Days', 'Weeks')

export const targetStores = list(oneOf('OnlineStore', 'OfflineStore'), { min: 1, max: 2 })
