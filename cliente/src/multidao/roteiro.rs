//! O que um usuário sorteou fazer: quantos ciclos, quanto decide e quanto escuta em cada um.
//!
//! O gerador é o ChaCha8, que dá os mesmos números em qualquer máquina, com um fluxo por usuário: a
//! decisão de um não depende de quantos são os outros. Nada aqui olha o relógio ou o servidor, e por
//! isso a mesma semente dá as mesmas decisões ainda que o servidor responda outra coisa.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::opcoes::Faixa;

/// As regras do sorteio, comuns a todos os usuários.
#[derive(Debug, Clone, Copy)]
pub struct Regras {
    /// A semente da simulação.
    pub semente: u64,
    /// Quantos ciclos cada usuário faz (§5: de 10 a 20).
    pub ciclos: Faixa<u32>,
    /// Quanto tempo leva a decisão de compra.
    pub decisao: Faixa<Duration>,
    /// Quanto tempo escuta depois de comprar (§5: de 5 a 10 segundos).
    pub escuta: Faixa<Duration>,
    /// Por quanto se divide cada espera.
    pub acelerar: f64,
}

/// O roteiro de um usuário.
#[derive(Debug, Clone)]
pub struct Roteiro {
    sorte: ChaCha8Rng,
    regras: Regras,
    ciclos: u32,
}

/// As esperas de um ciclo, já aceleradas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ciclo {
    /// Entre a resposta de CONSULTAR e o envio de COMPRAR.
    pub decisao: Duration,
    /// Depois da resposta de COMPRAR.
    pub escuta: Duration,
}

impl Roteiro {
    /// O roteiro do usuário de número `usuario`.
    pub fn novo(regras: Regras, usuario: usize) -> Self {
        let mut sorte = ChaCha8Rng::seed_from_u64(regras.semente);
        sorte.set_stream(usuario as u64);
        let ciclos = sorte.random_range(regras.ciclos.de..=regras.ciclos.ate);
        Roteiro { sorte, regras, ciclos }
    }

    /// Quantos ciclos este usuário faz.
    pub fn ciclos(&self) -> u32 {
        self.ciclos
    }

    /// Sorteia as esperas do próximo ciclo.
    pub fn proximo_ciclo(&mut self) -> Ciclo {
        Ciclo {
            decisao: self.sortear(self.regras.decisao),
            escuta: self.sortear(self.regras.escuta),
        }
    }

    fn sortear(&mut self, faixa: Faixa<Duration>) -> Duration {
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let sorteada = self.sorte.random_range(nanos(faixa.de)..=nanos(faixa.ate));
        acelerada(Duration::from_nanos(sorteada), self.regras.acelerar)
    }
}

/// Uma espera dividida por `acelerar`.
pub fn acelerada(espera: Duration, acelerar: f64) -> Duration {
    Duration::try_from_secs_f64(espera.as_secs_f64() / acelerar).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod testes {
    use super::*;

    const REGRAS: Regras = Regras {
        semente: 42,
        ciclos: Faixa { de: 10, ate: 20 },
        decisao: Faixa { de: Duration::from_millis(500), ate: Duration::from_secs(3) },
        escuta: Faixa { de: Duration::from_secs(5), ate: Duration::from_secs(10) },
        acelerar: 1.0,
    };

    #[test]
    fn a_mesma_semente_da_as_mesmas_decisoes_e_cada_usuario_tem_as_suas() {
        let decidir = |usuario| {
            let mut roteiro = Roteiro::novo(REGRAS, usuario);
            (roteiro.ciclos(), [roteiro.proximo_ciclo(), roteiro.proximo_ciclo()])
        };
        assert_eq!(decidir(7), decidir(7));
        assert_ne!(decidir(7).1, decidir(8).1);
    }

    /// Trava os números: se mudarem, uma semente publicada deixa de repetir a mesma simulação.
    #[test]
    fn as_decisoes_da_semente_42_sao_estas_em_qualquer_maquina() {
        let mut roteiro = Roteiro::novo(REGRAS, 1);
        let ciclo = roteiro.proximo_ciclo();
        assert_eq!(
            (roteiro.ciclos(), ciclo.decisao.as_nanos(), ciclo.escuta.as_nanos()),
            (16, 2_114_998_224, 5_352_378_663)
        );
    }

    #[test]
    fn as_pontas_valem_e_um_valor_so_e_fixo() {
        let fixo = Regras {
            ciclos: Faixa { de: 3, ate: 3 },
            decisao: Faixa { de: Duration::from_secs(1), ate: Duration::from_secs(1) },
            ..REGRAS
        };
        let mut roteiro = Roteiro::novo(fixo, 1);
        assert_eq!(
            (roteiro.ciclos(), roteiro.proximo_ciclo().decisao),
            (3, Duration::from_secs(1))
        );
        let ciclos: Vec<u32> = (0..500).map(|u| Roteiro::novo(REGRAS, u).ciclos()).collect();
        assert_eq!((ciclos.iter().min(), ciclos.iter().max()), (Some(&10), Some(&20)));
    }

    #[test]
    fn acelerar_divide_as_esperas_sem_mudar_o_sorteio() {
        let normal = Roteiro::novo(REGRAS, 5).proximo_ciclo();
        let rapido = Roteiro::novo(Regras { acelerar: 100.0, ..REGRAS }, 5).proximo_ciclo();
        assert!(rapido.decisao.abs_diff(normal.decisao / 100) < Duration::from_micros(1));
        assert!(rapido.escuta.abs_diff(normal.escuta / 100) < Duration::from_micros(1));
    }
}
