//! O que houve com as chegadas de um laço aberto. Aqui só há dados.

use std::time::Duration;

use serde::Serialize;

use crate::tempo::em_segundos;

/// As chegadas de uma simulação, e o que houve com elas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Chegadas {
    /// Quando começaram, a contar do começo da simulação: é de quando as etapas contam.
    #[serde(rename = "comecaram_s", serialize_with = "em_segundos")]
    pub comecaram: Duration,
    /// Quantas tiveram a sua hora.
    pub marcadas: u64,
    /// As que um usuário levou ao servidor. As outras não têm latência, e os percentis nada dizem delas.
    pub enviadas: u64,
    /// As que, na sua hora, não acharam um usuário livre.
    pub esperaram_usuario: u64,
    /// A maior espera de uma chegada por um usuário, das que se enviaram.
    #[serde(rename = "maior_espera_s", serialize_with = "em_segundos")]
    pub maior_espera: Duration,
    /// Quanto o próprio cliente se atrasou, quando havia um usuário livre: 99% dos envios não passam disto.
    #[serde(rename = "atraso_do_cliente_p99_s", serialize_with = "em_segundos")]
    pub atraso_do_cliente: Option<Duration>,
    /// Por quanto tempo, até a hora da última, a fila não se esvaziou: a taxa oferecida não foi alcançada.
    #[serde(rename = "fila_cheia_s", serialize_with = "em_segundos")]
    pub fila_cheia: Option<Duration>,
}

impl Chegadas {
    /// As que nunca acharam um usuário.
    pub fn desistiram(&self) -> u64 {
        self.marcadas.saturating_sub(self.enviadas)
    }

    /// A taxa oferecida foi alcançada: ninguém desistiu, e a fila se esvaziou.
    pub fn alcancou(&self) -> bool {
        self.desistiram() == 0 && self.fila_cheia.is_none()
    }
}
