//! Um [estoque](crate::estoque) medido: o mesmo que o de dentro, e anota quanto ele demora. É aqui que se olha o
//! relógio, e não no balcão nem em quem guarda o estoque. Não muda nada do que se decide.

use std::time::Instant;

use protocolo::{Id, Resposta};

use super::{Desfecho, Medidas};
use crate::estoque::{Alcance, Estoque, Noticia, Proposta, Situacao};

/// O estoque, e onde se anota.
#[derive(Debug)]
pub(crate) struct Medido<'a, E> {
    pub(crate) estoque: &'a mut E,
    pub(crate) medidas: &'a mut Medidas,
}

impl<E: Estoque> Estoque for Medido<'_, E> {
    type Pane = E::Pane;

    fn colher(&mut self) -> Result<Option<Noticia>, E::Pane> {
        let noticia = self.estoque.colher()?;
        let desfecho = match &noticia {
            Some(Noticia::Firme(_)) => Some(Desfecho::Firme),
            Some(Noticia::NaoValeu) => Some(Desfecho::NaoValeu),
            Some(Noticia::SemDesfecho) => Some(Desfecho::Perdido),
            Some(Noticia::Repetidos(_)) => Some(Desfecho::Repetidos),
            Some(Noticia::Alcance(alcance)) => {
                self.medidas.ao_alcance = *alcance == Alcance::Responde;
                None
            }
            Some(Noticia::Esgotou) | None => None,
        };
        if let Some(desfecho) = desfecho {
            self.medidas.acabou_a_proposta(desfecho);
        }
        Ok(noticia)
    }

    fn resposta_a(&mut self, id: &Id) -> Result<Option<Resposta>, E::Pane> {
        self.estoque.resposta_a(id)
    }

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, E::Pane> {
        let antes = Instant::now();
        let situacao = self.estoque.propor(proposta)?;
        match &situacao {
            // Quem nada teve de firmar diz que já estava firme quando o turno começou.
            Situacao::Firme(firme) if firme.quando != proposta.agora => {
                self.medidas.firmados.anotar_duracao(firme.quando.duration_since(antes));
            }
            Situacao::Firme(_) => {}
            Situacao::EmVoo => self.medidas.proposta_em = Some(antes),
        }
        Ok(situacao)
    }

    fn pedidos_por_lote(&self) -> usize {
        self.estoque.pedidos_por_lote()
    }

    fn fim_do_turno(&mut self) {
        self.estoque.fim_do_turno();
    }

    fn prazo(&self) -> Option<Instant> {
        self.estoque.prazo()
    }
}
