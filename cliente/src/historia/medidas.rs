//! As contas de uma simulação: quantas operações, quanto demoraram, quantas por segundo. O tamanho
//! delas não depende de quantas foram. Não julga e não mostra.

use std::time::Duration;

use hdrhistogram::Histogram;
use protocolo::Mensagem;
use serde::Serialize;

use crate::conversa::desfecho::Desfecho;
use crate::historia::vivido::{Operacao, Pedido};
use crate::tempo::em_segundos;

/// As contas.
#[derive(Debug, Clone, Default)]
pub struct Medidas {
    /// Respostas a CONSULTAR.
    pub consultas: u64,
    /// Compras feitas.
    pub vendas: u64,
    /// Compras recusadas por falta de estoque.
    pub recusas: u64,
    /// Quanto demorou cada resposta a CONSULTAR, das que se entendem: desde o envio ou, no laço aberto, desde a hora
    /// marcada.
    pub consultar: Latencias,
    /// Quanto demorou cada resposta a COMPRAR, do mesmo modo.
    pub comprar: Latencias,
    /// No laço aberto, as mesmas respostas a CONSULTAR, desde o envio.
    pub consultar_do_envio: Latencias,
    /// No laço aberto, as mesmas respostas a COMPRAR, desde o envio.
    pub comprar_do_envio: Latencias,
    /// As respostas que se entendem, ao longo do tempo.
    pub vazao: Vazao,
    /// Os CONSULTAR que não tiveram uma resposta que se entenda.
    pub consultar_sem: Sem,
    /// Os COMPRAR que não tiveram uma resposta que se entenda.
    pub comprar_sem: Sem,
    /// Quantas respostas eram do outro comando.
    pub trocadas: u64,
    /// As de cada servidor, pela ordem em que se disseram.
    pub servidores: Vec<DoServidor>,
    /// As das compras numeradas.
    pub pedidos: Pedidos,
}

/// As contas das compras numeradas. As que ficaram sem se saber são as que não tiveram resposta, ou uma que não se entende.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pedidos {
    /// Quantos ids se usaram.
    pub ids: u64,
    /// Dos quais, os que se perguntaram mais de uma vez até haver resposta.
    pub insistidos: u64,
    /// Dos quais, os que se perguntaram de novo de propósito, depois de respondidos.
    pub repetidos: u64,
}

impl Pedidos {
    fn registrar(&mut self, pedido: &Pedido) {
        self.ids += 1;
        self.insistidos += u64::from(pedido.perguntas > 1);
        self.repetidos += u64::from(pedido.repetida.is_some());
    }
}

/// As contas de um dos servidores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DoServidor {
    /// Respostas a CONSULTAR.
    pub consultas: u64,
    /// Compras feitas.
    pub vendas: u64,
    /// Compras recusadas por falta de estoque.
    pub recusas: u64,
    /// Pedidos que ouviram que o estoque está fora de alcance.
    pub fora_de_alcance: u64,
    /// Pedidos sem resposta alguma.
    pub sem_resposta: u64,
}

impl DoServidor {
    fn registrar(&mut self, resposta: Option<&Desfecho>) {
        let conta = match resposta {
            None => &mut self.sem_resposta,
            Some(Desfecho::Leu(_) | Desfecho::LeuSemNumero) => &mut self.consultas,
            Some(Desfecho::Comprou(_) | Desfecho::ComprouSemNumero) => &mut self.vendas,
            Some(Desfecho::Recusado) => &mut self.recusas,
            Some(Desfecho::ForaDeAlcance) => &mut self.fora_de_alcance,
            // O que não se entende já se conta, com o texto.
            Some(Desfecho::Estranho(_)) => return,
        };
        *conta += 1;
    }
}

/// Os pedidos que não tiveram uma resposta que se entenda: são duas coisas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sem {
    /// Respondidos de outro modo: veio um texto, e não é a resposta do protocolo.
    pub de_outro_modo: u64,
    /// O primeiro desses textos a chegar, e quando.
    pub primeira: Option<(Duration, String)>,
    /// Respondidos com o estoque fora de alcance: o servidor o divide com outros, e quem o guarda não respondeu.
    pub fora_de_alcance: u64,
    /// Sem resposta alguma.
    pub sem_resposta: u64,
}

impl Medidas {
    /// Acrescenta uma operação.
    pub fn registrar(&mut self, operacao: &Operacao) {
        let qual = operacao.servidor.indice();
        if qual >= self.servidores.len() {
            self.servidores.resize(qual + 1, DoServidor::default());
        }
        if let Some(do_servidor) = self.servidores.get_mut(qual) {
            do_servidor.registrar(operacao.resposta.as_ref().map(|(_, desfecho)| desfecho));
        }
        if let Some(pedido) = &operacao.pedido {
            self.pedidos.registrar(pedido);
        }
        let sem = if operacao.compra { &mut self.comprar_sem } else { &mut self.consultar_sem };
        let Some((chegou, desfecho)) = &operacao.resposta else {
            sem.sem_resposta += 1;
            return;
        };
        match desfecho {
            Desfecho::Leu(_) | Desfecho::LeuSemNumero => self.consultas += 1,
            Desfecho::Comprou(_) | Desfecho::ComprouSemNumero => self.vendas += 1,
            Desfecho::Recusado => self.recusas += 1,
            // Demora o que o servidor espera por quem guarda o estoque: não é a latência de uma resposta.
            Desfecho::ForaDeAlcance => {
                sem.fora_de_alcance += 1;
                return;
            }
            Desfecho::Estranho(texto) => {
                sem.de_outro_modo += 1;
                if sem.primeira.as_ref().is_none_or(|(quando, _)| chegou < quando) {
                    sem.primeira = Some((*chegou, texto.clone()));
                }
                self.trocadas += u64::from(Mensagem::interpretar(texto.as_bytes()).e_resposta());
                return;
            }
        }
        let (latencias, do_envio) = if operacao.compra {
            (&mut self.comprar, &mut self.comprar_do_envio)
        } else {
            (&mut self.consultar, &mut self.consultar_do_envio)
        };
        let Operacao { marcada, enviada, .. } = operacao;
        latencias.registrar(chegou.saturating_sub(marcada.unwrap_or(*enviada)));
        if marcada.is_some() {
            do_envio.registrar(chegou.saturating_sub(*enviada));
        }
        self.vazao.registrar(*chegou);
    }
}

/// Uma distribuição de tempos, com três algarismos, em nanossegundos.
#[derive(Debug, Clone)]
pub struct Latencias(Option<Histogram<u64>>);

impl Default for Latencias {
    fn default() -> Self {
        // Só falharia com outro número de algarismos. Cresce com o que se grava.
        Latencias(Histogram::new(3).ok())
    }
}

impl Latencias {
    /// Acrescenta uma amostra.
    pub fn registrar(&mut self, amostra: Duration) {
        if let Some(histograma) = &mut self.0 {
            // Com crescimento automático, gravar não falha.
            let _ = histograma.record(u64::try_from(amostra.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Quantas amostras há.
    pub fn amostras(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// O tempo que a fração `quantil` (de 0 a 1) das amostras não passa; `None` sem amostras.
    pub fn quantil(&self, quantil: f64) -> Option<Duration> {
        let histograma = self.0.as_ref().filter(|histograma| !histograma.is_empty())?;
        Some(Duration::from_nanos(histograma.value_at_quantile(quantil)))
    }

    /// A distribuição acumulada: cada tempo medido e a fração das amostras que não passa dele.
    pub fn acumulada(&self) -> Vec<(Duration, f64)> {
        let Some(histograma) = &self.0 else { return Vec::new() };
        let total = histograma.len() as f64;
        let mut ate_aqui = 0;
        let ponto = |medida: hdrhistogram::iterators::IterationValue<u64>| {
            ate_aqui += medida.count_since_last_iteration();
            (Duration::from_nanos(medida.value_iterated_to()), ate_aqui as f64 / total)
        };
        histograma.iter_recorded().map(ponto).collect()
    }
}

/// Quantas respostas chegaram em cada fatia do tempo.
#[derive(Debug, Clone, Serialize)]
pub struct Vazao {
    /// A largura de cada fatia.
    #[serde(rename = "largura_s", serialize_with = "em_segundos")]
    pub largura: Duration,
    /// As respostas de cada uma, desde o começo.
    #[serde(rename = "respostas")]
    pub fatias: Vec<u64>,
}

/// O máximo de fatias. Quando o tempo passa delas, juntam-se duas a duas e a largura dobra.
const FATIAS: usize = 240;

impl Default for Vazao {
    fn default() -> Self {
        Vazao { largura: Duration::from_millis(10), fatias: Vec::new() }
    }
}

impl Vazao {
    fn registrar(&mut self, quando: Duration) {
        let qual = |largura: Duration| (quando.as_nanos() / largura.as_nanos()) as usize;
        while qual(self.largura) >= FATIAS {
            self.largura *= 2;
            self.fatias = self.fatias.chunks(2).map(|par| par.iter().sum()).collect();
        }
        let fatia = qual(self.largura);
        if fatia >= self.fatias.len() {
            self.fatias.resize(fatia + 1, 0);
        }
        self.fatias[fatia] += 1;
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn os_quantis_sao_das_amostras() {
        let mut latencias = Latencias::default();
        assert_eq!(latencias.quantil(0.5), None);
        (1..=1000).map(Duration::from_micros).for_each(|amostra| latencias.registrar(amostra));
        let micros = |quantil| latencias.quantil(quantil).unwrap().as_micros();
        assert_eq!([0.5, 0.9, 0.99, 0.999, 1.0].map(micros), [500, 900, 990, 999, 1000]);
        let acumulada = latencias.acumulada();
        assert_eq!(acumulada.last().unwrap().1, 1.0);
        assert!(acumulada.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
    }

    #[test]
    fn a_vazao_nao_perde_nenhuma_e_nao_cresce_sem_fim() {
        let mut vazao = Vazao::default();
        for segundo in 0..10_000 {
            vazao.registrar(Duration::from_secs(segundo));
            vazao.registrar(Duration::from_millis(segundo));
        }
        assert_eq!(vazao.fatias.iter().sum::<u64>(), 20_000);
        assert!(vazao.fatias.len() <= FATIAS, "{}", vazao.fatias.len());
        assert!(vazao.fatias[0] > vazao.fatias[1], "as de antes ficam antes");
    }
}
