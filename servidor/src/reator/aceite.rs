//! Quando ir à porta aceitar conexões. Não conhece a porta, nem o que se faz de quem entra.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// Sem descritores ou sem memória, quanto se espera para tentar aceitar de novo.
const PAUSA_DO_ACEITE: Duration = Duration::from_millis(100);

/// Há conexões à porta?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aceite {
    /// Não que se saiba: o próximo evento dirá.
    Espera,
    /// Pode haver: aceitar neste turno.
    Agora,
    /// O sistema não tem com que aceitar; tentar de novo nesta hora.
    Pausado(Instant),
}

impl Aceite {
    /// É hora de ir à porta?
    pub(super) fn vai_tentar(self, agora: Instant) -> bool {
        match self {
            Aceite::Espera => false,
            Aceite::Agora => true,
            Aceite::Pausado(ate) => agora >= ate,
        }
    }

    /// Quando voltar à porta, ainda que nada aconteça.
    pub(super) fn prazo(self) -> Option<Instant> {
        match self {
            Aceite::Pausado(ate) => Some(ate),
            Aceite::Espera | Aceite::Agora => None,
        }
    }

    /// Chama `um` até `maximo` vezes, ou até a porta ficar vazia; diz se ainda pode haver alguém.
    pub(super) fn aceitar(
        maximo: usize,
        agora: Instant,
        mut um: impl FnMut() -> io::Result<()>,
    ) -> Aceite {
        for _ in 0..maximo {
            let Err(erro) = um() else { continue };
            match erro.kind() {
                ErrorKind::WouldBlock => return Aceite::Espera,
                // Desistiu antes de entrar: o próximo. O Linux diz que abortou; o Windows, que quebrou, e o Wine, que já
                // não está.
                ErrorKind::Interrupted
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::NotConnected => {}
                _ => return Aceite::Pausado(agora + PAUSA_DO_ACEITE),
            }
        }
        Aceite::Agora
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn aceita_um_tanto_por_turno_e_volta_sem_esperar_outro_evento() {
        let mut aceitos = 0;
        let aceite = Aceite::aceitar(64, Instant::now(), || {
            aceitos += 1;
            Ok(())
        });
        assert_eq!((aceitos, aceite), (64, Aceite::Agora));
        assert!(aceite.vai_tentar(Instant::now()));
    }

    #[test]
    fn quem_desiste_a_porta_nao_faz_esperar_quem_vem_atras() {
        let agora = Instant::now();
        let mut fila = [
            ErrorKind::ConnectionAborted,
            ErrorKind::ConnectionReset,
            ErrorKind::NotConnected,
            ErrorKind::Interrupted,
            ErrorKind::WouldBlock,
        ]
        .into_iter();
        let aceite = Aceite::aceitar(64, agora, || Err(fila.next().unwrap().into()));
        assert_eq!((aceite, fila.next()), (Aceite::Espera, None));
    }

    #[test]
    fn sem_com_que_aceitar_ha_uma_pausa_que_tem_prazo() {
        let agora = Instant::now();
        let sem_descritores = || Err(io::Error::from_raw_os_error(24));
        let aceite = Aceite::aceitar(64, agora, sem_descritores);
        assert_eq!(aceite.prazo(), Some(agora + PAUSA_DO_ACEITE));
        assert!(!aceite.vai_tentar(agora) && aceite.vai_tentar(agora + PAUSA_DO_ACEITE));
        assert_eq!((Aceite::Espera.prazo(), Aceite::Agora.prazo()), (None, None));
    }
}
