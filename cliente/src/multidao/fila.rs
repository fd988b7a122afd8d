//! A fila do laço aberto: dá cada chegada a um usuário livre, na ordem, e conta as que esperaram por um.
//!
//! Um usuário livre leva a próxima chegada antes da hora dela, e a espera ouvindo o servidor: não é preciso acordar
//! ninguém. Se todos estão ocupados, ela fica aqui, e o primeiro que se libera a leva, já atrasada. A hora de cada uma
//! é da [`Agenda`], e não muda. O tempo é um argumento.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::historia::chegadas::Chegadas;
use crate::historia::medidas::Latencias;
use crate::multidao::agenda::Agenda;

/// Depois da última hora, quanto ainda se atende quem espera: o que se espera por uma resposta. Quem ficou desistiu.
const PACIENCIA: Duration = Duration::from_secs(10);

/// De quanto em quanto tempo, antes do começo, se pergunta se já se pode começar.
const ANTES_DO_COMECO: Duration = Duration::from_millis(10);

/// Uma fila que só no último décimo da simulação, ou no último segundo, não se esvaziou ainda pode ser o acaso.
const FOLGA: Duration = Duration::from_secs(1);

/// A vez de uma chegada: um usuário a tem na mão.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vez {
    /// A hora marcada, a contar do começo da simulação.
    pub quando: Duration,
    /// Havia um usuário livre à espera dela: se partir depois da hora, o atraso é do cliente.
    pub antecipada: bool,
}

/// O que a fila responde a um usuário livre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrega {
    /// As chegadas ainda não começaram: que ouça até este instante, e pergunte de novo.
    Ainda(Duration),
    /// A vez é desta.
    Vez(Vez),
    /// Não há mais nenhuma.
    Acabou,
}

/// Como vai a fila, para quem olha.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Situacao {
    /// Quantas já tiveram a sua hora.
    pub marcadas: u64,
    /// Quantas, dessas, esperam um usuário.
    pub esperando: u64,
    /// Quanto falta para a hora da última.
    pub falta: Duration,
}

/// A fila, que todas as sessões partilham.
#[derive(Debug)]
pub struct Fila {
    estado: Mutex<Estado>,
    duracao: Duration,
}

#[derive(Debug)]
struct Estado {
    agenda: Agenda,
    /// A próxima a entregar, a contar do começo das chegadas.
    proxima: Option<Duration>,
    /// As que um usuário não pôde levar ao servidor, a contar do começo da simulação.
    devolvidas: BinaryHeap<Reverse<Duration>>,
    /// A mesma agenda, até onde o relógio já chegou.
    relogio: Agenda,
    por_marcar: Option<Duration>,
    marcadas: u64,
    entregues: u64,
    /// Quando começaram, a contar do começo da simulação.
    comecou: Option<Duration>,
    /// Quantos usuários se esperam antes de começar, e quantos já estão prontos.
    esperados: Option<usize>,
    prontos: usize,
    /// A hora da primeira que esperou, desde a última vez que a fila se esvaziou.
    cheia_desde: Option<Duration>,
    enviadas: u64,
    esperaram: u64,
    maior_espera: Duration,
    atraso: Latencias,
}

impl Fila {
    /// A fila desta agenda.
    pub fn nova(agenda: Agenda) -> Self {
        let duracao = agenda.duracao();
        let (mut entregas, mut relogio) = (agenda.clone(), agenda);
        let (proxima, por_marcar) = (entregas.next(), relogio.next());
        let estado = Estado {
            agenda: entregas,
            proxima,
            devolvidas: BinaryHeap::new(),
            relogio,
            por_marcar,
            marcadas: 0,
            entregues: 0,
            comecou: None,
            esperados: None,
            prontos: 0,
            cheia_desde: None,
            enviadas: 0,
            esperaram: 0,
            maior_espera: Duration::ZERO,
            atraso: Latencias::default(),
        };
        Fila { estado: Mutex::new(estado), duracao }
    }

    /// As chegadas começam quando tantos usuários estiverem prontos.
    pub fn esperar(&self, usuarios: usize) {
        self.trancar().esperados = Some(usuarios);
    }

    /// Mais um usuário está pronto, ou não vai estar: cada um o diz uma vez.
    pub fn pronto(&self) {
        self.trancar().prontos += 1;
    }

    /// Um usuário livre pede a próxima.
    pub fn pegar(&self, agora: Duration) -> Entrega {
        if self.acabou(agora) {
            return Entrega::Acabou;
        }
        let mut estado = self.trancar();
        let Some(comecou) = estado.comecar(agora) else {
            return Entrega::Ainda(agora + ANTES_DO_COMECO);
        };
        if let Some(Reverse(quando)) = estado.devolvidas.pop() {
            estado.entregues += 1;
            return Entrega::Vez(Vez { quando, antecipada: false });
        }
        let Some(proxima) = estado.proxima.take() else { return Entrega::Acabou };
        estado.proxima = estado.agenda.next();
        estado.entregues += 1;
        let quando = comecou.saturating_add(proxima);
        let vez = Vez { quando, antecipada: agora < quando };
        estado.cheia_desde =
            if vez.antecipada { None } else { estado.cheia_desde.or(Some(vez.quando)) };
        Entrega::Vez(vez)
    }

    /// Um usuário não pôde levar esta: que a leve o próximo a se liberar.
    pub fn devolver(&self, quando: Duration) {
        let mut estado = self.trancar();
        estado.entregues -= 1;
        estado.devolvidas.push(Reverse(quando));
    }

    /// Não há mais o que entregar, ou já não se espera por quem falta.
    pub fn acabou(&self, agora: Duration) -> bool {
        let estado = self.trancar();
        let Some(comecou) = estado.comecou else { return false };
        let entregues = estado.proxima.is_none() && estado.devolvidas.is_empty();
        entregues || agora > comecou.saturating_add(self.duracao).saturating_add(PACIENCIA)
    }

    /// O pedido desta chegada partiu `agora`.
    pub fn enviou(&self, vez: Vez, agora: Duration) {
        let mut estado = self.trancar();
        let depois = agora.saturating_sub(vez.quando);
        estado.enviadas += 1;
        if vez.antecipada {
            estado.atraso.registrar(depois);
        } else {
            estado.esperaram += 1;
            estado.maior_espera = estado.maior_espera.max(depois);
        }
    }

    /// Como vai, `agora`.
    pub fn situacao(&self, agora: Duration) -> Situacao {
        let mut estado = self.trancar();
        let Some(comecou) = estado.comecou else {
            return Situacao { falta: self.duracao, ..Situacao::default() };
        };
        let marcadas = estado.marcar_ate(agora.saturating_sub(comecou));
        Situacao {
            marcadas,
            esperando: marcadas.saturating_sub(estado.entregues),
            falta: comecou.saturating_add(self.duracao).saturating_sub(agora),
        }
    }

    /// O que houve com as chegadas até `fim`, quando todos os usuários terminaram. Se foi a pedido, quem ainda esperava
    /// um usuário não desistiu: não se contam as que não se enviaram.
    pub fn concluir(self, fim: Duration, interrompida: bool) -> Chegadas {
        let duracao = self.duracao;
        let mut estado = self.estado.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(comecou) = estado.comecou else { return Chegadas::default() };
        let decorrida = fim.saturating_sub(comecou).min(duracao);
        let cheia = estado.cheia_desde.map(|desde| (comecou + decorrida).saturating_sub(desde));
        Chegadas {
            comecaram: comecou,
            marcadas: if interrompida { estado.enviadas } else { estado.marcar_ate(decorrida) },
            enviadas: estado.enviadas,
            esperaram_usuario: estado.esperaram,
            maior_espera: estado.maior_espera,
            atraso_do_cliente: estado.atraso.quantil(0.99),
            fila_cheia: cheia.filter(|cheia| *cheia > FOLGA.min(duracao / 10)),
        }
    }

    fn trancar(&self) -> MutexGuard<'_, Estado> {
        self.estado.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Estado {
    /// Quando começaram; se todos estão prontos, começam agora.
    fn comecar(&mut self, agora: Duration) -> Option<Duration> {
        let prontos = self.esperados.is_some_and(|esperados| self.prontos >= esperados);
        if prontos {
            self.comecou.get_or_insert(agora);
        }
        self.comecou
    }

    /// Quantas têm hora até `decorrida`, a contar do começo delas.
    fn marcar_ate(&mut self, decorrida: Duration) -> u64 {
        while self.por_marcar.is_some_and(|hora| hora <= decorrida) {
            self.marcadas += 1;
            self.por_marcar = self.relogio.next();
        }
        self.marcadas
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::opcoes::carga::Etapa;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Uma fila de 200 chegadas por segundo, durante 5 s, e a hora de cada uma.
    fn fila() -> (Fila, Vec<Duration>) {
        let agenda = Agenda::nova(&[Etapa { duracao: ms(5000), taxa_por_s: 200.0 }], 1);
        (Fila::nova(agenda.clone()), agenda.collect())
    }

    /// Vive as chegadas em tempo virtual: `usuarios` usuários, e um servidor que responde na hora, menos enquanto
    /// está parado. Devolve as latências desde a hora marcada, e as desde o envio.
    fn viver(fila: &Fila, usuarios: usize, parado: std::ops::Range<Duration>) -> [Latencias; 2] {
        let mut latencias = [Latencias::default(), Latencias::default()];
        fila.esperar(0);
        let mut livres: BinaryHeap<Reverse<Duration>> = vec![Reverse(ms(0)); usuarios].into();
        while let Some(Reverse(agora)) = livres.pop() {
            let Entrega::Vez(vez) = fila.pegar(agora) else { continue };
            let envio = agora.max(vez.quando);
            fila.enviou(vez, envio);
            let resposta = if parado.contains(&envio) { parado.end } else { envio + ms(1) };
            latencias[0].registrar(resposta - vez.quando);
            latencias[1].registrar(resposta - envio);
            livres.push(Reverse(resposta));
        }
        latencias
    }

    #[test]
    fn quem_esta_livre_leva_a_proxima_antes_da_hora_e_na_ordem() {
        let (fila, horas) = fila();
        assert_eq!(fila.pegar(ms(0)), Entrega::Ainda(ANTES_DO_COMECO));
        fila.esperar(2);
        fila.pronto();
        assert_eq!(fila.pegar(ms(50)), Entrega::Ainda(ms(60)), "falta um");
        fila.pronto();
        let vez = |qual: usize, antecipada| {
            Entrega::Vez(Vez { quando: ms(100) + horas[qual], antecipada })
        };
        assert_eq!(fila.pegar(ms(100)), vez(0, true), "as horas contam do começo delas");
        assert_eq!(fila.pegar(ms(4000)), vez(1, false), "já passou da hora");
        fila.devolver(ms(100) + horas[0]);
        assert_eq!(fila.pegar(ms(100)), vez(0, false), "a devolvida vem primeiro");
        assert_eq!(fila.pegar(ms(4000)), vez(2, false));
    }

    #[test]
    fn a_parada_de_um_segundo_aparece_desde_a_hora_marcada_e_some_desde_o_envio() {
        let (fila, horas) = fila();
        let [marcada, enviada] = viver(&fila, 10, ms(2000)..ms(3000));
        assert_eq!(
            marcada.amostras(),
            horas.len() as u64,
            "uma amostra por chegada, nenhuma inventada"
        );
        assert!(marcada.quantil(0.99) > Some(ms(500)), "{:?}", marcada.quantil(0.99));
        assert!(enviada.quantil(0.98) < Some(ms(10)), "{:?}", enviada.quantil(0.98));
        let chegadas = fila.concluir(ms(6000), false);
        assert_eq!(
            (chegadas.marcadas, chegadas.enviadas),
            (horas.len() as u64, horas.len() as u64)
        );
        // Na parada chegam 200; dez já estavam com um usuário.
        assert!((100..300).contains(&chegadas.esperaram_usuario), "{chegadas:?}");
        assert!(chegadas.maior_espera > ms(900) && chegadas.alcancou(), "{chegadas:?}");
        assert_eq!(chegadas.atraso_do_cliente, Some(ms(0)));
    }

    #[test]
    fn uma_duracao_sem_fim_nao_estoura_a_conta_do_que_falta() {
        let etapa = Etapa { duracao: Duration::MAX, taxa_por_s: 5.0 };
        let fila = Fila::nova(Agenda::nova(&[etapa, etapa], 1));
        fila.esperar(0);
        assert!(matches!(fila.pegar(ms(100)), Entrega::Vez(_)));
        assert_eq!(fila.situacao(ms(200)).falta, Duration::MAX - ms(200));
    }

    #[test]
    fn uma_fila_que_nao_se_esvazia_diz_que_a_taxa_nao_foi_alcancada() {
        let (fila, horas) = fila();
        // Parado até bem depois da paciência: um só usuário, e um só pedido.
        viver(&fila, 1, ms(0)..ms(60_000));
        let situacao = fila.situacao(ms(60_000));
        assert_eq!((situacao.marcadas, situacao.falta), (horas.len() as u64, ms(0)));
        assert_eq!(situacao.esperando, horas.len() as u64 - 1);
        let chegadas = fila.concluir(ms(60_000), false);
        assert_eq!((chegadas.enviadas, chegadas.desistiram()), (1, horas.len() as u64 - 1));
        assert!(!chegadas.alcancou());

        // Atende todas, mas a fila só se esvazia depois da última.
        let (fila, _) = self::fila();
        viver(&fila, 1, ms(1000)..ms(6000));
        let chegadas = fila.concluir(ms(7000), false);
        assert_eq!(chegadas.desistiram(), 0);
        assert!(chegadas.fila_cheia > Some(ms(3900)) && !chegadas.alcancou(), "{chegadas:?}");
    }

    #[test]
    fn antes_do_fim_so_contam_as_que_tiveram_hora_e_interrompida_as_que_se_enviaram() {
        let viver = |interrompida| {
            let (fila, horas) = fila();
            fila.esperar(0);
            assert!(matches!(fila.pegar(ms(0)), Entrega::Vez(_)));
            fila.concluir(horas[99], interrompida)
        };
        let chegadas = viver(false);
        assert_eq!((chegadas.marcadas, chegadas.enviadas), (100, 0));
        assert_eq!(chegadas.comecaram, ms(0));
        assert_eq!(viver(true).desistiram(), 0, "quem foi interrompido não desistiu");
    }
}
