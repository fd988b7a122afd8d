//! A escuta: diz o que cada mensagem de um servidor desconhecido é para quem está na conexão: a resposta ao
//! pedido, um AVISO, ou algo que ninguém pediu. A multidão e o avaliador ouvem por aqui, e por isso leem igual.
//!
//! - O que responde ao pedido em curso é a resposta, também em outras palavras
//!   ([`Mensagem::em_outras_palavras`]). Nunca um AVISO, ainda que chegue tarde.
//! - O que traz a palavra AVISO é um AVISO; o que diz que o estoque acabou e não responde a nada, também.
//! - Um texto que tanto pode ser a resposta como algo que ninguém pediu (uma saudação, um aviso em outras
//!   palavras) espera [`OUTRA_CHANCE`]: se nada melhor vier, é a resposta, e os próximos iguais já não esperam
//!   ([`Estilo`]). Se a de verdade ainda vier depois, toma o lugar dela.
//!
//! Não lê de socket nenhum, não olha o relógio e não julga ninguém.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocolo::Mensagem;
use protocolo::mensagem::{avisa_que_esgotou, decodificar};

use crate::conversa::desfecho::Desfecho;
use crate::conversa::enquadrador::Enquadrador;

/// Depois de um texto que talvez não responda ao pedido, quanto se espera ainda pela resposta.
pub const OUTRA_CHANCE: Duration = Duration::from_millis(300);

/// Depois que, por falta de outro, um texto que não se entende se tomou por resposta (uma saudação, talvez), quanto
/// quem ainda não sabe como falar com o servidor espera pela [de verdade](Papel::RespostaDeVerdade). Quem já sabe
/// não espera: se ela vier enquanto ele decide ou escuta, é corrigida.
pub const ESPERA_DA_DE_VERDADE: Duration = Duration::from_secs(1);

/// Quantas respostas em outras palavras se lembram: um servidor que nunca se repete não ocupa a memória.
const RESPOSTAS_LEMBRADAS: usize = 64;

/// Com que palavras este servidor responde, quando não são as do enunciado. Aprende-se uma vez para todas
/// as conexões.
#[derive(Debug, Default)]
pub struct Estilo(Mutex<HashSet<(bool, String)>>);

impl Estilo {
    fn conhece(&self, compra: bool, texto: &str) -> bool {
        let lembradas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !lembradas.is_empty() && lembradas.contains(&(compra, sem_algarismos(texto)))
    }

    fn esquece(&self, compra: bool, texto: &str) {
        let mut lembradas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lembradas.remove(&(compra, sem_algarismos(texto)));
    }

    fn aprende(&self, compra: bool, texto: &str) {
        let mut lembradas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lembradas.len() < RESPOSTAS_LEMBRADAS {
            lembradas.insert((compra, sem_algarismos(texto)));
        }
    }
}

/// O texto, sem o que muda de uma resposta para outra.
fn sem_algarismos(texto: &str) -> String {
    texto.chars().filter(|letra| !letra.is_ascii_digit()).collect()
}

/// Uma mensagem, com o que ela é e quando chegou.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ouvida {
    /// Quando chegou o último byte dela.
    pub quando: Duration,
    /// Como veio, sem o fim de linha.
    pub texto: String,
    /// O que é.
    pub papel: Papel,
}

/// O que uma mensagem é para quem a ouviu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Papel {
    /// A resposta ao pedido em curso.
    Resposta(Desfecho),
    /// A resposta de verdade ao último pedido: a que se supôs, em outras palavras, era outra coisa.
    RespostaDeVerdade(Desfecho),
    /// Um AVISO, com estas ou outras palavras.
    Aviso,
    /// O servidor está lotado.
    Lotado,
    /// Nada que se tenha pedido; se é uma frase do protocolo, pode ser a resposta atrasada de outro pedido.
    NaoPedida {
        /// É uma frase do protocolo?
        do_protocolo: bool,
    },
}

/// A escuta de uma conexão.
#[derive(Debug, Default)]
pub struct Escuta {
    enquadrador: Enquadrador,
    /// O pedido que espera resposta: é COMPRAR?
    pedido: Option<bool>,
    /// Chegou e talvez seja a resposta.
    reserva: Option<(Duration, String)>,
    /// Quando chegou o primeiro texto que talvez fosse a resposta a este pedido.
    em_duvida_desde: Duration,
    /// Pedidos que ficaram sem resposta: a próxima que sobrar pode ser de um deles.
    devidas: u32,
    /// O último pedido e o texto que se tomou por resposta a ele, se não era do protocolo.
    suposta: Option<(bool, String)>,
    /// Já chegou alguma mensagem nesta conexão? A primeira pode ser uma saudação, e com ela não se aprende.
    saudada: bool,
}

impl Escuta {
    /// Um pedido vai partir. O que se guardava como resposta ao anterior era de outra coisa.
    pub fn pediu(&mut self, compra: bool) {
        (self.suposta, self.reserva) = (None, None);
        if self.pedido.replace(compra).is_some() {
            self.devidas += 1;
        }
    }

    /// Desiste de esperar. O que talvez fosse a resposta passa a ser.
    pub fn desistiu(&mut self, estilo: &Estilo) -> Option<Ouvida> {
        let reserva = self.reserva.take().map(|reserva| self.era_a_resposta(reserva, estilo));
        self.devidas += u32::from(self.pedido.take().is_some());
        reserva
    }

    /// Recebe bytes que chegaram em `agora` e entrega as mensagens que eles completam.
    pub fn receber(&mut self, agora: Duration, bytes: &[u8], estilo: &Estilo) -> Vec<Ouvida> {
        let mut textos = Vec::new();
        self.enquadrador.receber(agora, bytes, |texto| textos.push((agora, limpo(texto))));
        self.entender(textos, estilo)
    }

    /// Até quando o que já chegou pode mudar de sentido; `None` se nada espera.
    pub fn fim_do_silencio(&self) -> Option<Duration> {
        let reserva = self.reserva.as_ref().map(|_| self.em_duvida_desde + OUTRA_CHANCE);
        match (self.enquadrador.fim_do_silencio(), reserva) {
            (Some(um), Some(outro)) => Some(um.min(outro)),
            (um, outro) => um.or(outro),
        }
    }

    /// Nada chegou até `agora`: o que só esperava pelo silêncio está inteiro.
    pub fn calou(&mut self, agora: Duration, estilo: &Estilo) -> Vec<Ouvida> {
        let mut textos = Vec::new();
        if self.enquadrador.fim_do_silencio().is_some_and(|fim| fim <= agora) {
            self.enquadrador.calou(|quando, texto| textos.push((quando, limpo(texto))));
        }
        let mut ouvidas = self.entender(textos, estilo);
        let venceu = |_: &mut (Duration, String)| self.em_duvida_desde + OUTRA_CHANCE <= agora;
        ouvidas.extend(
            self.reserva.take_if(venceu).map(|reserva| self.era_a_resposta(reserva, estilo)),
        );
        ouvidas
    }

    /// A conexão terminou: o que sobrou não vai mudar.
    pub fn fim(&mut self, estilo: &Estilo) -> Vec<Ouvida> {
        let mut textos = Vec::new();
        self.enquadrador.fim(|quando, texto| textos.push((quando, limpo(texto))));
        let mut ouvidas = self.entender(textos, estilo);
        ouvidas.extend(self.reserva.take().map(|reserva| self.era_a_resposta(reserva, estilo)));
        ouvidas
    }

    fn entender(&mut self, textos: Vec<(Duration, String)>, estilo: &Estilo) -> Vec<Ouvida> {
        let mut ouvidas = Vec::new();
        for (quando, texto) in textos {
            // Quem não para de falar também tem de responder em algum momento.
            let venceu = |_: &mut (Duration, String)| self.em_duvida_desde + OUTRA_CHANCE <= quando;
            let reserva = self.reserva.take_if(venceu);
            ouvidas.extend(reserva.map(|reserva| self.era_a_resposta(reserva, estilo)));
            self.entender_um(quando, texto, estilo, &mut ouvidas);
        }
        ouvidas
    }

    fn entender_um(
        &mut self,
        quando: Duration,
        texto: String,
        estilo: &Estilo,
        ouvidas: &mut Vec<Ouvida>,
    ) {
        let mensagem = Mensagem::interpretar(texto.as_bytes());
        let papel = match (&mensagem, self.pedido) {
            // A conexão vai fechar, e é isso que conta: o pedido em curso fica sem resposta.
            (Mensagem::Fechamento(_), _) => return,
            (Mensagem::Aviso(_), _) => Papel::Aviso,
            (Mensagem::Lotado, _) => Papel::Lotado,
            (_, None) => self.sem_pedido(&mensagem, estilo),
            (_, Some(compra)) => {
                let desfecho = Desfecho::de(compra, &mensagem);
                let do_protocolo = !matches!(mensagem, Mensagem::Outra(_));
                let certa = do_protocolo && !matches!(desfecho, Desfecho::Estranho(_));
                let e_a_resposta = certa || estilo.conhece(compra, &texto);
                // A que esperava não era: veio a resposta, ou outra candidata.
                let anterior = self.reserva.take();
                if !e_a_resposta {
                    if anterior.is_none() {
                        self.em_duvida_desde = quando;
                    }
                    ouvidas.extend(anterior.map(nao_era_a_resposta));
                    self.reserva = Some((quando, texto));
                    return;
                }
                ouvidas.extend(anterior.map(nao_era_a_resposta));
                self.pedido = None;
                self.suposta = (!do_protocolo).then(|| (compra, texto.clone()));
                Papel::Resposta(desfecho)
            }
        };
        self.saudada = true;
        ouvidas.push(Ouvida { quando, texto, papel });
    }

    /// Ninguém espera resposta agora.
    fn sem_pedido(&mut self, mensagem: &Mensagem, estilo: &Estilo) -> Papel {
        let do_protocolo = !matches!(mensagem, Mensagem::Outra(_));
        let Mensagem::Outra(texto) = mensagem else {
            if let Some((compra, suposta)) = self.suposta.take() {
                let desfecho = Desfecho::de(compra, mensagem);
                if !matches!(desfecho, Desfecho::Estranho(_)) {
                    estilo.esquece(compra, &suposta);
                    return Papel::RespostaDeVerdade(desfecho);
                }
            }
            self.devidas = self.devidas.saturating_sub(1);
            return Papel::NaoPedida { do_protocolo };
        };
        // Uma recusa atrasada em outras palavras pode dizer o mesmo que um aviso: é a que se devia.
        if self.devidas > 0 {
            self.devidas -= 1;
            return Papel::NaoPedida { do_protocolo };
        }
        if avisa_que_esgotou(texto) { Papel::Aviso } else { Papel::NaoPedida { do_protocolo } }
    }

    /// Nada melhor veio: é a resposta que este servidor dá.
    fn era_a_resposta(&mut self, (quando, texto): (Duration, String), estilo: &Estilo) -> Ouvida {
        let mensagem = Mensagem::interpretar(texto.as_bytes());
        let papel = match self.pedido.take() {
            Some(compra) => {
                if self.saudada {
                    estilo.aprende(compra, &texto);
                }
                self.suposta = Some((compra, texto.clone()));
                Papel::Resposta(Desfecho::de(compra, &mensagem))
            }
            None => self.sem_pedido(&mensagem, estilo),
        };
        self.saudada = true;
        Ouvida { quando, texto, papel }
    }
}

/// Veio a resposta, e não era esta.
fn nao_era_a_resposta((quando, texto): (Duration, String)) -> Ouvida {
    let do_protocolo = !matches!(Mensagem::interpretar(texto.as_bytes()), Mensagem::Outra(_));
    let papel = if !do_protocolo && avisa_que_esgotou(&texto) {
        Papel::Aviso
    } else {
        Papel::NaoPedida { do_protocolo }
    };
    Ouvida { quando, texto, papel }
}

/// O texto de uma mensagem, sem o fim de linha nem os NUL de quem manda o buffer inteiro.
fn limpo(texto: &[u8]) -> String {
    let margem = |letra: char| letra == '\0' || letra.is_ascii_whitespace();
    decodificar(texto).trim_matches(margem).to_owned()
}

#[cfg(test)]
mod testes {
    use super::*;
    use Papel::{Aviso, NaoPedida, Resposta, RespostaDeVerdade};
    use proptest::prelude::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Uma conexão diante de um servidor que diz o que o teste manda.
    #[derive(Default)]
    struct Conversa {
        escuta: Escuta,
        estilo: Estilo,
        agora: Duration,
    }

    impl Conversa {
        fn pede(&mut self, compra: bool) -> &mut Self {
            self.escuta.pediu(compra);
            self
        }

        /// O que se entende destes bytes, chegados agora.
        fn chega(&mut self, texto: &str) -> Vec<(String, Papel)> {
            self.agora += ms(1);
            resumo(self.escuta.receber(self.agora, texto.as_bytes(), &self.estilo))
        }

        /// O que se entende depois de tanto silêncio.
        fn cala(&mut self, quanto: Duration) -> Vec<(String, Papel)> {
            self.agora += quanto;
            resumo(self.escuta.calou(self.agora, &self.estilo))
        }
    }

    fn resumo(ouvidas: Vec<Ouvida>) -> Vec<(String, Papel)> {
        ouvidas.into_iter().map(|ouvida| (ouvida.texto, ouvida.papel)).collect()
    }

    fn uma(texto: &str, papel: Papel) -> Vec<(String, Papel)> {
        vec![(texto.to_owned(), papel)]
    }

    #[test]
    fn a_resposta_nas_palavras_do_enunciado_nao_espera_ninguem() {
        let mut conversa = Conversa::default();
        let leu = uma("Estoque atual: 3", Resposta(Desfecho::Leu(3)));
        assert_eq!(conversa.pede(false).chega("Estoque atual: 3\n"), leu);
        assert_eq!(conversa.pede(true).chega("Compra realizada. Estoque restante: 2"), []);
        let vendeu = uma("Compra realizada. Estoque restante: 2", Resposta(Desfecho::Comprou(2)));
        assert_eq!(conversa.cala(ms(600)), vendeu);
    }

    #[test]
    fn em_outras_palavras_a_primeira_espera_e_as_iguais_depois_nao() {
        let mut conversa = Conversa::default();
        conversa.pede(false).chega("Estoque atual: 9\n");
        assert_eq!(conversa.pede(true).chega("Comprado! Restam 8\n"), []);
        let vendeu =
            |n: i128| uma(&format!("Comprado! Restam {n}"), Resposta(Desfecho::Comprou(n)));
        assert_eq!(conversa.cala(OUTRA_CHANCE), vendeu(8));
        assert_eq!(conversa.pede(true).chega("Comprado! Restam 7\n"), vendeu(7));
        // Em outra conexão do mesmo servidor, também.
        conversa.escuta = Escuta::default();
        assert_eq!(conversa.pede(true).chega("Comprado! Restam 6\n"), vendeu(6));
    }

    #[test]
    fn uma_saudacao_com_numero_nao_e_o_estoque_nem_ensina_nada() {
        for _ in 0..2 {
            let mut conversa = Conversa::default();
            assert_eq!(conversa.pede(false).chega("Temos 24 produtos!\n"), []);
            assert_eq!(
                conversa.chega("Estoque atual: 3\n"),
                [
                    ("Temos 24 produtos!".into(), NaoPedida { do_protocolo: false }),
                    ("Estoque atual: 3".into(), Resposta(Desfecho::Leu(3))),
                ]
            );
        }
    }

    #[test]
    fn a_resposta_de_verdade_toma_o_lugar_da_que_se_supos() {
        let mut conversa = Conversa::default();
        conversa.pede(false).chega("Temos 24 produtos!\n");
        let suposta = uma("Temos 24 produtos!", Resposta(Desfecho::Leu(24)));
        assert_eq!(conversa.cala(OUTRA_CHANCE), suposta);
        let verdade = uma("Estoque atual: 3", RespostaDeVerdade(Desfecho::Leu(3)));
        assert_eq!(conversa.chega("Estoque atual: 3\n"), verdade);
        // Dela só há uma.
        let sobra = uma("Estoque atual: 3", NaoPedida { do_protocolo: true });
        assert_eq!(conversa.chega("Estoque atual: 3\n"), sobra);
    }

    #[test]
    fn o_aviso_em_outras_palavras_se_ouve_pedindo_ou_nao() {
        let aviso = "*** Produto esgotado ***";
        let mut conversa = Conversa::default();
        conversa.pede(false).chega("Estoque atual: 0\n");
        assert_eq!(conversa.chega(&format!("{aviso}\n")), uma(aviso, Aviso));
        // À espera de uma resposta, é ela ou um aviso: a que vem a seguir decide.
        assert_eq!(conversa.pede(true).chega(&format!("{aviso}\n")), []);
        assert_eq!(
            conversa.chega("ERRO: Produto esgotado\n"),
            [
                (aviso.into(), Aviso),
                ("ERRO: Produto esgotado".into(), Resposta(Desfecho::Recusado))
            ]
        );
        conversa.pede(true).chega(&format!("{aviso}\n"));
        assert_eq!(conversa.cala(OUTRA_CHANCE), uma(aviso, Resposta(Desfecho::Recusado)));
        let colado = "[AVISO] O estoque acabou de esgotar!";
        assert_eq!(
            conversa.pede(true).chega(&format!("Compra realizada. Estoque restante: 0{colado}\n")),
            [
                ("Compra realizada. Estoque restante: 0".into(), Resposta(Desfecho::Comprou(0))),
                (colado.into(), Aviso)
            ]
        );
    }

    #[test]
    fn uma_resposta_atrasada_nunca_e_um_aviso() {
        for recusa in ["ERRO: Produto esgotado", "Produto esgotado"] {
            let mut conversa = Conversa::default();
            conversa.pede(true);
            assert_eq!(conversa.escuta.desistiu(&conversa.estilo), None);
            let do_protocolo = recusa.starts_with("ERRO");
            let atrasada = uma(recusa, NaoPedida { do_protocolo });
            assert_eq!(conversa.chega(&format!("{recusa}\n")), atrasada);
        }
    }

    #[test]
    fn a_ultima_palavra_do_servidor_nao_responde_nem_sobra() {
        for frase in ["ERRO: Servidor encerrando", "ERRO: Tempo demais sem nenhum comando"] {
            let mut conversa = Conversa::default();
            assert_eq!(conversa.chega(&format!("{frase}\n")), []);
            assert_eq!(conversa.pede(true).chega(&format!("{frase}\n")), []);
            assert_eq!(conversa.escuta.fim(&conversa.estilo), []);
        }
    }

    #[test]
    fn no_fim_da_espera_o_que_havia_e_a_resposta() {
        let mut conversa = Conversa::default();
        conversa.pede(true).chega("Erro interno\n");
        let ouvida = conversa.escuta.desistiu(&conversa.estilo).unwrap();
        assert_eq!(ouvida.papel, Resposta(Desfecho::Estranho("Erro interno".into())));
        assert_eq!(conversa.escuta.fim_do_silencio(), None);
    }

    #[test]
    fn quem_nao_para_de_falar_tambem_responde() {
        let mut conversa = Conversa::default();
        conversa.pede(false);
        let mut respondeu = false;
        for n in 0..400 {
            let ouvidas = conversa.chega(&format!("oi {n}, tudo bem?\n"));
            respondeu |= ouvidas.iter().any(|(_, papel)| matches!(papel, Resposta(_)));
        }
        assert!(respondeu);
    }

    #[test]
    fn quem_nunca_repete_o_que_diz_nao_ocupa_a_memoria() {
        let estilo = Estilo::default();
        for n in 0..1000 {
            estilo.aprende(true, &"x".repeat(n));
        }
        assert_eq!(estilo.0.lock().unwrap().len(), RESPOSTAS_LEMBRADAS);
    }

    proptest! {
        /// Com fim de linha, onde o TCP corta não muda nada.
        #[test]
        fn qualquer_corte_da_as_mesmas_ouvidas(
            falas in proptest::collection::vec(0usize..7, 1..8),
            corte in any::<prop::sample::Index>(),
        ) {
            let textos = ["Estoque atual: 12", "Compra realizada. Estoque restante: 3",
                "ERRO: Produto esgotado", "AVISO: O estoque acabou de esgotar!", "oi",
                "[14:05:09] AVISO: acabou", "Comprado! Restam 9"];
            let fluxo: String = falas.iter().map(|fala| format!("{}\n", textos[*fala])).collect();
            let corte = corte.index(fluxo.len());
            let mut inteira = Conversa::default();
            let esperado = inteira.pede(true).chega(&fluxo);
            let mut cortada = Conversa::default();
            let mut ouvido = cortada.pede(true).chega(&fluxo[..corte]);
            ouvido.extend(cortada.chega(&fluxo[corte..]));
            prop_assert_eq!(ouvido, esperado);
        }
    }
}
