//! O que se aprende de um servidor enquanto se fala com ele, e vale para todas as conexões: quanto demora, se
//! fecha a conexão depois de responder e se não responde a quem recusa. Não fala com ninguém e não dá nota.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Quanto um servidor tem para responder, com ninguém na frente. Um que funciona leva milissegundos.
pub const PRAZO: Duration = Duration::from_secs(3);

/// O que se espera de quem, em [`PRAZO`], não disse nada a ninguém: pode ser só muito lento.
const PACIENCIA: Duration = Duration::from_secs(10);

/// O máximo que um pedido espera, por mais que outros continuem a ter resposta.
const PACIENCIA_MAXIMA: Duration = Duration::from_secs(60);

/// O servidor que gasta um tempo em um pedido pode, com a máquina ocupada, gastar o triplo no seguinte.
const FOLGA: u32 = 3;

/// Os costumes de um servidor.
#[derive(Debug, Default)]
pub struct Costumes {
    fecha: AtomicBool,
    cala_na_recusa: AtomicBool,
    /// Quanto levou o mais demorado dos pedidos feitos a sós, em nanossegundos.
    demora: AtomicU64,
    /// Quantos pedidos podem estar na frente de qualquer outro, de clientes que já se foram.
    abandonados: AtomicU32,
    /// Quando alguém teve a última resposta, em nanossegundos desde o começo da avaliação.
    ultima: AtomicU64,
}

impl Costumes {
    /// Os de um servidor com quem se tem toda a paciência.
    pub fn paciente() -> Self {
        let costumes = Self::default();
        costumes.levou(PACIENCIA / FOLGA);
        costumes
    }

    /// Viu-se o servidor fechar a conexão depois de responder.
    pub fn viu_fechar(&self) {
        self.fecha.store(true, Ordering::Relaxed);
    }

    /// Fecha a conexão depois de responder?
    pub fn fecha(&self) -> bool {
        self.fecha.load(Ordering::Relaxed)
    }

    /// A sós, quem compra sem estoque não teve resposta.
    pub fn viu_calar_na_recusa(&self) {
        self.cala_na_recusa.store(true, Ordering::Relaxed);
    }

    /// Não responde a quem compra sem estoque? Então esse pedido não diz se o servidor ainda atende.
    pub fn cala_na_recusa(&self) -> bool {
        self.cala_na_recusa.load(Ordering::Relaxed)
    }

    /// Um pedido feito a sós levou isto.
    pub fn levou(&self, demora: Duration) {
        self.demora.fetch_max(nanos(demora), Ordering::Relaxed);
    }

    /// O mais que um pedido feito a sós levou.
    pub fn demora(&self) -> Duration {
        Duration::from_nanos(self.demora.load(Ordering::Relaxed))
    }

    /// Há estes pedidos de clientes que já se foram: ninguém os ouve responder, e nem por isso a fila anda.
    pub fn abandonaram(&self, pedidos: u32) {
        self.abandonados.store(pedidos, Ordering::Relaxed);
    }

    /// Alguém teve resposta neste instante.
    pub fn respondeu(&self, quando: Duration) {
        self.ultima.fetch_max(nanos(quando), Ordering::Relaxed);
    }

    /// Até quando espera o pedido que partiu em `enviada`. Com muitos na fila, quem ainda não teve resposta
    /// pode só estar atrás dos outros: o prazo conta da última resposta que alguém teve.
    pub fn limite(&self, enviada: Duration) -> Duration {
        let ultima = Duration::from_nanos(self.ultima.load(Ordering::Relaxed));
        let fila = self.demora() * self.abandonados.load(Ordering::Relaxed);
        let prazo = PRAZO.max(self.demora() * FOLGA) + fila;
        (ultima.max(enviada) + prazo).min(enviada + PACIENCIA_MAXIMA)
    }
}

fn nanos(duracao: Duration) -> u64 {
    u64::try_from(duracao.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod testes {
    use super::*;

    const fn s(segundos: u64) -> Duration {
        Duration::from_secs(segundos)
    }

    #[test]
    fn enquanto_alguem_tem_resposta_os_outros_esperam_mas_nao_para_sempre() {
        let costumes = Costumes::default();
        assert_eq!(costumes.limite(s(10)), s(10) + PRAZO);
        costumes.respondeu(s(12));
        costumes.respondeu(s(11));
        assert_eq!(costumes.limite(s(10)), s(12) + PRAZO);
        assert_eq!(costumes.limite(s(20)), s(20) + PRAZO, "a resposta de antes não conta");
        costumes.respondeu(s(1000));
        assert_eq!(costumes.limite(s(10)), s(10) + PACIENCIA_MAXIMA);
    }

    #[test]
    fn quem_a_sos_demora_tem_mais_prazo() {
        let costumes = Costumes::default();
        costumes.levou(s(4));
        costumes.levou(s(2));
        assert_eq!(costumes.limite(s(1)), s(1) + s(4) * FOLGA);
        costumes.abandonaram(5);
        assert_eq!(costumes.limite(s(1)), s(1) + s(4) * (FOLGA + 5), "e os que ficaram na frente");
        assert!(Costumes::paciente().limite(s(0)) > PRAZO);
    }
}
