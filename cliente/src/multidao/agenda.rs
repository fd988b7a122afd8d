//! A agenda do laço aberto: a que horas chega cada pedido, a contar do começo das chegadas.
//!
//! É um processo de Poisson, como chegam pessoas que não se conhecem: em média, a taxa da etapa; às vezes duas quase
//! juntas, às vezes um vazio. A semente da simulação decide todas, e nada aqui olha o relógio ou o servidor. Cada etapa tem
//! a sua taxa, constante, e passa-se de uma à outra em degrau.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::opcoes::carga::Etapa;

/// O fluxo do gerador que é da agenda: os usuários, que contam de 1, usam os outros.
const FLUXO: u64 = 0;

/// As chegadas que faltam, na ordem. Uma cópia conta as mesmas.
#[derive(Debug, Clone)]
pub struct Agenda {
    etapas: Vec<Etapa>,
    sorte: ChaCha8Rng,
    /// Quantas chegadas se esperavam, em média, até a última que se deu: uma soma de intervalos de média 1.
    soma: f64,
}

impl Agenda {
    /// A agenda destas etapas, com esta semente.
    pub fn nova(etapas: &[Etapa], semente: u64) -> Self {
        let mut sorte = ChaCha8Rng::seed_from_u64(semente);
        sorte.set_stream(FLUXO);
        Agenda { etapas: etapas.to_vec(), sorte, soma: 0.0 }
    }

    /// Quanto duram as etapas, juntas.
    pub fn duracao(&self) -> Duration {
        self.etapas.iter().fold(Duration::ZERO, |soma, etapa| soma.saturating_add(etapa.duracao))
    }

    /// Quantas chegadas se esperam, em média, em todas as etapas.
    pub fn esperadas(&self) -> f64 {
        self.etapas.iter().map(quantas).sum()
    }

    /// Quando se esperam, em média, `soma` chegadas; `None` depois da última etapa.
    fn instante(&self, soma: f64) -> Option<Duration> {
        let (mut resta, mut antes) = (soma, Duration::ZERO);
        for etapa in &self.etapas {
            let cabem = quantas(etapa);
            if resta < cabem {
                let nela = Duration::try_from_secs_f64(resta / etapa.taxa_por_s).ok()?;
                return antes.checked_add(nela);
            }
            resta -= cabem;
            antes = antes.saturating_add(etapa.duracao);
        }
        None
    }
}

fn quantas(etapa: &Etapa) -> f64 {
    etapa.taxa_por_s * etapa.duracao.as_secs_f64()
}

impl Iterator for Agenda {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // O intervalo entre chegadas é exponencial: -ln(1 - u), com u sorteado em [0, 1).
        let u: f64 = self.sorte.random();
        self.soma -= (-u).ln_1p();
        self.instante(self.soma)
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    fn etapa(segundos: u64, taxa_por_s: f64) -> Etapa {
        Etapa { duracao: Duration::from_secs(segundos), taxa_por_s }
    }

    fn chegadas(etapas: &[Etapa], semente: u64) -> Vec<Duration> {
        Agenda::nova(etapas, semente).collect()
    }

    #[test]
    fn a_mesma_semente_da_as_mesmas_horas_e_outra_da_outras() {
        let etapas = [etapa(5, 200.0)];
        assert_eq!(chegadas(&etapas, 42), chegadas(&etapas, 42));
        assert_ne!(chegadas(&etapas, 42), chegadas(&etapas, 43));
    }

    #[test]
    fn em_cada_etapa_chegam_na_taxa_dela_e_depois_da_ultima_ninguem() {
        let etapas = [etapa(100, 10.0), etapa(50, 100.0), etapa(100, 10.0)];
        let horas = chegadas(&etapas, 7);
        assert!(horas.is_sorted());
        let entre = |de, ate| {
            let dela = |hora: &&Duration| (de..ate).contains(&hora.as_secs());
            horas.iter().filter(dela).count()
        };
        // Com uma semente fixa, as contas também são: a folga, de seis desvios, é para outra semente.
        for (conta, media) in
            [(entre(0, 100), 1000_f64), (entre(100, 150), 5000.0), (entre(150, 250), 1000.0)]
        {
            assert!((conta as f64 - media).abs() < 6.0 * media.sqrt(), "{conta} em vez de {media}");
        }
        assert_eq!(entre(0, 250), horas.len());
        let agenda = Agenda::nova(&etapas, 7);
        assert_eq!((agenda.duracao(), agenda.esperadas()), (Duration::from_secs(250), 7000.0));
    }

    #[test]
    fn os_intervalos_sao_de_poisson_e_nao_iguais() {
        let horas = chegadas(&[etapa(1000, 10.0)], 1);
        let intervalos: Vec<f64> =
            horas.windows(2).map(|par| (par[1] - par[0]).as_secs_f64()).collect();
        // Entre chegadas ao acaso, a fração que passa da média é 1/e.
        let longos = intervalos.iter().filter(|intervalo| **intervalo > 0.1).count();
        let fracao = longos as f64 / intervalos.len() as f64;
        assert!((fracao - (-1_f64).exp()).abs() < 0.03, "{fracao}");
    }
}
