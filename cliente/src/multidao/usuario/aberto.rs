//! O usuário no laço aberto: não decide quando pede, atende chegadas que têm hora marcada.
//!
//! ```text
//!   Livre ──► Agendado ──► Pronto ──► Esperando ──► Livre      (CONSULTAR e COMPRAR, por vez)
//! ```
//!
//! Quem cai com uma chegada na mão fica com ela, se dá tempo de voltar antes da hora; senão devolve-a, e outro a leva.

use std::time::Duration;

use super::{Fase, Usuario};
use crate::conversa::desfecho::Desfecho;
use crate::multidao::evento::Evento;
use crate::multidao::fila::Vez;

/// Quanto um usuário que caiu demora a voltar: menos faria dele um ataque a um servidor que o recusa.
const PAUSA: Duration = Duration::from_millis(100);

impl Usuario {
    /// O mesmo usuário, no laço aberto.
    pub fn em_laco_aberto(self) -> Self {
        Usuario { aberto: true, ..self }
    }

    /// Leva esta chegada: pede na hora dela, ou já, se passou.
    pub fn atender(&mut self, vez: Vez) {
        if let Fase::Livre { compra } = self.fase {
            self.vez = Some(vez);
            self.fase = Fase::Agendado { compra, quando: vez.quando };
        }
    }

    /// Pede sem que ninguém tenha chegado: é como se descobre o fim de linha, antes de as chegadas começarem.
    pub fn pedir_sem_chegada(&mut self) {
        if let Fase::Livre { compra } = self.fase {
            self.fase = Fase::Pronto { compra };
        }
    }

    /// A chegada que tem na mão, e cujo pedido ainda não partiu.
    pub fn vez(&self) -> Option<Vez> {
        self.vez
    }

    /// A hora da chegada que não pôde levar: quem pergunta a dá a outro.
    pub fn devolver(&mut self) -> Option<Duration> {
        self.devolvida.take()
    }

    /// Não há mais chegadas: quem não tem nenhuma na mão termina.
    pub fn acabaram_as_chegadas(&mut self, agora: Duration) {
        match self.fase {
            Fase::Livre { .. } => self.fase = Fase::Saindo { desde: agora },
            Fase::Fora { .. } | Fase::Conectando { .. } if self.aberto && self.vez.is_none() => {
                self.fase = Fase::Fim;
            }
            _ => {}
        }
    }

    /// Acabou de conectar.
    pub(super) fn conectado_no_laco_aberto(&mut self, agora: Duration) -> Fase {
        match &mut self.vez {
            Some(vez) => {
                // A hora passou enquanto não havia conexão: não foi o cliente que se atrasou.
                vez.antecipada &= agora < vez.quando;
                Fase::Agendado { compra: false, quando: vez.quando }
            }
            None => Fase::Livre { compra: false },
        }
    }

    /// Teve a resposta: está livre, e cada COMPRAR fecha um ciclo.
    pub(super) fn respondido_no_laco_aberto(&mut self, compra: bool, desfecho: &Desfecho) -> Fase {
        if compra && !matches!(desfecho, Desfecho::Estranho(_)) {
            self.historia.ciclos += 1;
            self.eventos.push(Evento::Ciclo);
        }
        Fase::Livre { compra: !compra }
    }

    /// Perdeu a conexão, ou nenhum servidor o recebe: volta enquanto houver chegadas, se alguma vez entrou.
    pub(super) fn caiu_no_laco_aberto(&mut self, agora: Duration, nao_entrou: bool) -> Fase {
        let volta = agora.saturating_add(PAUSA);
        if let Some(vez) = self.vez.take_if(|vez| nao_entrou || vez.quando <= volta) {
            self.devolvida = Some(vez.quando);
        }
        self.recusado_por = 0;
        if self.ja_conectou() { Fase::Fora { ate: volta } } else { Fase::Fim }
    }
}

#[cfg(test)]
mod testes {
    use super::super::testes::usuario;
    use super::super::{Conexao, Falha, Passo};
    use super::*;
    use protocolo::{Comando, Mensagem};

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    const fn vez(quando: u64, antecipada: bool) -> Vez {
        Vez { quando: ms(quando), antecipada }
    }

    /// Conectada, no laço aberto.
    fn ana() -> Usuario {
        let mut ana = usuario(1, false).em_laco_aberto();
        assert_eq!(ana.avancar(ms(0)), Passo::Conectar);
        ana.conectou(ms(0));
        ana
    }

    #[test]
    fn a_operacao_comeca_no_envio_e_guarda_a_hora_marcada() {
        let mut ana = ana();
        assert_eq!(ana.avancar(ms(0)), Passo::Receber);
        ana.atender(vez(50, true));
        assert_eq!(ana.avancar(ms(0)), Passo::OuvirAteAHora(ms(50)));
        ana.nada_chegou(ms(40));
        assert_eq!(ana.avancar(ms(40)), Passo::OuvirAteAHora(ms(50)), "antes da hora, não");
        ana.nada_chegou(ms(50));
        assert_eq!(ana.avancar(ms(51)), Passo::Enviar(Comando::Consultar));
        ana.vai_enviar(ms(51));
        assert_eq!(ana.vez(), None);
        ana.recebeu(ms(1500), Mensagem::Estoque(5));
        // A seguinte já passou da hora: parte já.
        assert_eq!(ana.avancar(ms(1500)), Passo::Receber);
        ana.atender(vez(600, false));
        ana.nada_chegou(ms(1500));
        assert_eq!(ana.avancar(ms(1500)), Passo::Enviar(Comando::Comprar), "um de cada, por vez");
        ana.vai_enviar(ms(1500));
        ana.recebeu(ms(1510), Mensagem::Compra { restante: 4 });
        assert_eq!(ana.avancar(ms(1510)), Passo::Receber, "o roteiro, de um ciclo, não vale aqui");
        ana.acabaram_as_chegadas(ms(1600));
        assert_eq!(ana.avancar(ms(1600)), Passo::Terminar);

        let historia = ana.historia(ms(2000));
        let tempos = historia.operacoes.iter().map(|o| (o.marcada, o.enviada));
        let esperados = [(Some(ms(50)), ms(51)), (Some(ms(600)), ms(1500))];
        assert_eq!(tempos.collect::<Vec<_>>(), esperados);
        assert_eq!(historia.ciclos, 1);
    }

    #[test]
    fn quem_cai_fica_com_a_chegada_se_da_tempo_e_senao_a_devolve() {
        for (quando, devolve) in [(5000, None), (1050, Some(ms(1050)))] {
            let mut ana = ana();
            ana.atender(vez(quando, true));
            ana.caiu(ms(1000), Falha::Fechada);
            assert_eq!(ana.devolver(), devolve);
            assert_eq!(ana.devolver(), None, "uma vez só");
            assert_eq!(ana.avancar(ms(1000)), Passo::Ausentar(ms(1100)), "não volta de imediato");
            assert_eq!(ana.avancar(ms(1100)), Passo::Conectar);
            ana.conectou(ms(1101));
            let passo = devolve.map_or(Passo::OuvirAteAHora(ms(quando)), |_| Passo::Receber);
            assert_eq!(ana.avancar(ms(1101)), passo);
        }
    }

    #[test]
    fn quem_nunca_entrou_desiste_e_quem_ja_entrou_insiste_ate_acabarem_as_chegadas() {
        let recusada = || Falha::SemConexao("conexão recusada".into());
        let mut nunca = usuario(1, false).em_laco_aberto();
        nunca.avancar(ms(0));
        nunca.caiu(ms(0), recusada());
        assert_eq!(nunca.avancar(ms(0)), Passo::Terminar);

        let mut ana = ana();
        ana.atender(vez(5000, true));
        ana.caiu(ms(1000), Falha::Fechada);
        ana.avancar(ms(1100));
        ana.caiu(ms(1100), recusada());
        assert_eq!(ana.devolver(), Some(ms(5000)), "sem servidor, não a pode levar");
        assert_eq!(ana.avancar(ms(1150)), Passo::Ausentar(ms(1200)));
        ana.acabaram_as_chegadas(ms(1150));
        assert_eq!(ana.avancar(ms(1150)), Passo::Terminar);
        let caidas = ana.historia(ms(2000)).conexoes.iter().filter(|c: &&Conexao| c.caiu).count();
        assert_eq!(caidas, 1);
    }

    #[test]
    fn a_hora_que_passa_sem_conexao_nao_e_atraso_do_cliente() {
        let mut ana = ana();
        ana.atender(vez(1150, true));
        ana.caiu(ms(1000), Falha::Fechada);
        ana.avancar(ms(1100));
        ana.conectou(ms(1400));
        assert_eq!(ana.vez(), Some(vez(1150, false)));
    }
}
